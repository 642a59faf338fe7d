"""The stories share a platform, which ends with the last of them."""
