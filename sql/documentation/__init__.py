"""What the documentation service stores: systems, ideas, links, files, and the trail of who changed them."""
