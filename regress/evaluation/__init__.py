"""How good results are: scores, nested cross-validation, and the leaderboard with what ties on it.

`metrics` scores predictions and compares two of them, `nested` tunes and scores inside the folds,
`results` holds what came of it, `leaderboard` ranks it and `notes` says what is to be kept in mind.
"""
