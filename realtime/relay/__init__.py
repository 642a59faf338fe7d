"""The relay: takes what was spooled into the hot tier, in a process of its own."""
