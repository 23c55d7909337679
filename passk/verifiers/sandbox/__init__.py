"""Running untrusted programs.

| module | runs in | does |
|---|---|---|
| `isolation`, `choose_isolation` | parent | the isolation levels; picks the best that holds here |
| `commands` | parent | the command that starts a fork server at an isolation level |
| `seccomp_filter` | parent | the system calls that programs may make |
| `process` | parent | one fork server: its process, its pipes, its status lines |
| `run` | parent | what a run is given, and how it ended |
| `host_remedies` | parent | what would allow a better isolation on this host |
| `runner` | parent | one queue of attempts over all fork servers |
| `decode` | parent | reads values that programs returned, as data |
| `inside.fork_server` | sandbox | forks a process per program, ends it, cleans up |
| `inside.run_program` | sandbox | limits itself, runs the program, sends what it returned |
| `inside.encode` | sandbox | values as text |
| `inside.clean_folder` | both | removes what a program wrote |

`docs/sandbox.md` says what is isolated and what is not.
"""
