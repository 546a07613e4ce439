"""Run folders: saved experiments that predict and explain for as long as they are kept.

`format` says what ``run.json`` holds, `save` writes a folder, `folder` reads its files, and `run`
predicts with the models in it.
"""
