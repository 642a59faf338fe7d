"""The tests, in folders as the rooms have them."""
