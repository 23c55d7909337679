"""What the Snakefile and its rules ask for."""
