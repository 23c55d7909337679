"""What a job needs: memory, GPUs, time and cost."""
