"""What the operating system offers a process: child processes and signals."""
