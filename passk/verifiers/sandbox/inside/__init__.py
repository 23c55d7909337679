"""What runs inside the sandbox: standard library only, and nothing else of passk."""
