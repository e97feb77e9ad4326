//! The program as its users meet it: arguments in; standard output, standard error and the exit status out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod affected;
mod arguments;
mod binhost;
mod binhost_remote;
mod build;
mod crash;
mod explain;
mod farms;
mod faults;
mod gc;
#[path = "../container/support/git_server.rs"]
mod git_server;
mod help;
mod host_tasks;
mod import;
mod inject;
mod job_tokens;
mod live;
mod look;
mod matrix;
mod mistakes;
#[path = "../container/support/nginx.rs"]
#[expect(dead_code, reason = "here it only takes what is published")]
mod nginx;
mod patches;
mod plan;
mod proposals;
mod rebuild;
mod relative_speed;
mod run_log;
mod run_record;
mod secrets;
mod secrets_ssh;
mod serve;
mod settled;
mod settled_random;
mod signals;
mod signing;
mod space;
mod stage3;
mod stages;
mod task_files;
mod upstream;
