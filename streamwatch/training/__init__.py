"""Training, evaluation and export: the only part that needs torch (extra ``train``)."""
