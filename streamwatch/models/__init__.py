"""The VideoBERT pack: its files, its sessions, its scores."""
