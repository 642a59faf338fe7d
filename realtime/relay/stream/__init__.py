"""The stream: what the spool takes in, told to WebSocket clients as it comes, and from the disk to those who resume."""
