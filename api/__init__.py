"""HTTP: one module (or folder) per service on the kernel that every HTTP process shares."""
