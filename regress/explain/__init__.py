"""Explanations of predictions, and how they are shown: on a terminal, in a notebook, as a page."""
