"""The documentation service: systems, ideas, links, files, their figures and trail. Port 3400, and the gateway."""
