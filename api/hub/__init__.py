"""The Documentation Hub: the Markdown pages of `docs/`, read, judged, rendered and served."""
