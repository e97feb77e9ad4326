//! Runs in the real engine: environment, files, output, endings, limits.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::common::{LABEL, Lab, Log, Outputs, tar_of};
use farm_executor::{
    CancelToken, Collect, Executor, ExecutorError, Exit, ImageStore, LogSink, Network, OutputSink, TarSource,
    VolumeMount,
};

fn upload(files: &[(&str, &[u8])]) -> Box<dyn TarSource> {
    let tar = tar_of(files);
    Box::new(move || Ok(Box::new(Cursor::new(tar.clone())) as Box<dyn Read + Send>))
}

#[test]
fn no_variable_of_the_image_leaks() {
    let lab = Lab::new();
    let image = lab.image(|config| {
        config["Env"] = serde_json::json!(["LEAK=1", "PATH=/nowhere", "LANG=xx"]);
        config["Entrypoint"] = serde_json::json!(["/never"]);
        config["Cmd"] = serde_json::json!(["--run"]);
        config["User"] = serde_json::json!("12:13");
        config["WorkingDir"] = serde_json::json!("/elsewhere");
    });
    let mut spec = lab.script(&image, "");
    spec.env.insert("TEXT".to_owned(), "a b=\"c\"".to_owned());
    spec.argv = vec!["env".to_owned()];
    let outcome = lab.run(&spec);
    assert_eq!(outcome.exit.unwrap(), Exit::Code(0));
    let mut lines: Vec<&str> = outcome.log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["PATH=/bin:/usr/bin", "TEXT=a b=\"c\""]);

    spec.env.clear();
    spec.argv = vec!["/bin/env".to_owned()];
    let outcome = lab.run(&spec);
    assert_eq!((outcome.exit.unwrap(), outcome.log.as_str()), (Exit::Code(0), ""));

    let outcome = lab.run(&lab.script(&image, "hostname; id -u; id -g; echo $PWD"));
    assert_eq!(outcome.log, "farm\n0\n0\n/\n");
}

#[test]
fn later_uploads_win_and_outputs_come_back() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let mut spec = lab.script(
        &image,
        "cat /in/a /in/b; mkdir -p /out; echo made > /out/file; echo err >&2",
    );
    spec.files
        .push(upload(&[("in/", b""), ("in/a", b"first "), ("in/b", b"second\n")]));
    spec.files.push(upload(&[("in/", b""), ("in/a", b"replaced ")]));
    spec.collect = ["/out", "/out/file", "/not/there"]
        .map(|path| Collect::OnSuccess(path.to_owned()))
        .to_vec();
    spec.collect.push(Collect::OnFailure("/in".to_owned()));
    let outcome = lab.run(&spec);
    assert_eq!(outcome.exit.unwrap(), Exit::Code(0));
    assert!(
        outcome.log.contains("replaced second\n") && outcome.log.contains("err\n"),
        "{}",
        outcome.log
    );
    assert_eq!(outcome.outputs.files["/out"]["out/file"], b"made\n");
    assert_eq!(outcome.outputs.files["/out/file"]["file"], b"made\n");
    assert_eq!(outcome.outputs.absent, ["/not/there"]);
    assert!(!outcome.outputs.files.contains_key("/in"));
    assert_eq!(lab.containers_left(), 0);
}

#[test]
fn a_failure_is_an_exit_and_hands_over_its_own_outputs() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let mut spec = lab.script(&image, "echo why > /log; exit 7");
    spec.collect = vec![
        Collect::OnSuccess("/log".to_owned()),
        Collect::OnFailure("/log".to_owned()),
        Collect::OnFailure("/missing".to_owned()),
        Collect::OnFailure("/log/under-a-file".to_owned()),
    ];
    let outcome = lab.run(&spec);
    assert_eq!(outcome.exit.unwrap(), Exit::Code(7));
    assert_eq!(outcome.outputs.files.len(), 1);
    assert_eq!(outcome.outputs.files["/log"]["log"], b"why\n");
    assert!(outcome.outputs.absent.is_empty());

    spec.argv = vec!["no-such-command".to_owned()];
    spec.collect.clear();
    let outcome = lab.run(&spec);
    assert_eq!(outcome.exit.unwrap(), Exit::Code(127));
    assert!(outcome.log.contains("no-such-command"), "{}", outcome.log);
}

#[test]
fn the_whole_root_can_be_collected() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let mut spec = lab.script(&image, "mkdir -p /a/b; echo x > /a/b/c");
    spec.collect = vec![Collect::OnSuccess("/".to_owned())];
    let outcome = lab.run(&spec);
    let root = &outcome.outputs.files["/"];
    assert_eq!(root["a/b/c"], b"x\n");
    assert!(root.contains_key("bin/busybox"));
    let known = |name: &str| {
        let name = name.trim_end_matches('/');
        ["a", "bin", "usr", "etc/passwd", "etc", "dev"]
            .iter()
            .any(|ours| name == *ours || ours.is_empty())
            || name.starts_with("a/")
            || name.starts_with("bin/")
            || name.starts_with("usr/bin")
            || farm_docker_executor::ENGINE_PATHS
                .iter()
                .any(|path| name == *path || path.starts_with(&format!("{name}/")))
    };
    let strange: Vec<&String> = root.keys().filter(|name| !known(name)).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn output_comes_in_order_and_whole() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let outcome = lab.run(&lab.script(
        &image,
        "i=0; while [ $i -lt 20000 ]; do echo line $i >&$((1 + i % 2)); i=$((i+1)); done; echo -n end",
    ));
    let expected: String = (0..20000).map(|number| format!("line {number}\n")).collect::<String>() + "end";
    assert!(
        outcome.log == expected,
        "{} of {} bytes",
        outcome.log.len(),
        expected.len()
    );
}

#[test]
fn the_command_may_close_its_output_and_go_on() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let outcome = lab.run(&lab.script(&image, "exec >&- 2>&-; sleep 0.3; exit 5"));
    assert_eq!(outcome.exit.unwrap(), Exit::Code(5));
}

#[test]
fn orphans_are_reaped() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    // The orphan's parent is gone at once; without an init it would stay as a zombie.
    let script = "exec 3<&0; (true & ) ; exec sh -c 'sleep 0.3; ps -o stat,comm | grep -c ^Z; true'";
    let outcome = lab.run(&lab.script(&image, script));
    assert_eq!(outcome.log, "0\n");
}

#[test]
fn a_run_without_network_has_only_loopback() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let mut spec = lab.script(&image, "ls /sys/class/net");
    assert_eq!(lab.run(&spec).log, "lo\n");
    spec.network = Network::Full;
    assert!(lab.run(&spec).log.contains("eth0"));
}

#[test]
fn going_over_the_memory_bound_is_told_apart() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let mut spec = lab.script(&image, "tail /dev/zero; exit 3");
    spec.limits.memory = Some(32 << 20);
    assert_eq!(lab.run(&spec).exit.unwrap(), Exit::OutOfMemory);
    let mut spec = lab.script(&image, "kill -9 $$");
    spec.limits.memory = Some(32 << 20);
    assert_eq!(lab.run(&spec).exit.unwrap(), Exit::Code(137));
}

#[test]
fn processes_are_bounded() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let mut spec = lab.script(&image, "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait");
    spec.limits.pids = Some(4);
    let outcome = lab.run(&spec);
    assert_ne!(outcome.exit.unwrap(), Exit::Code(0));
}

#[test]
fn capabilities_are_added_by_name() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let mut spec = lab.script(&image, "grep CapEff /proc/self/status");
    let plain = lab.run(&spec).log;
    spec.capabilities = vec!["SYS_PTRACE".to_owned()];
    let more = lab.run(&spec).log;
    let bits = |line: &str| u64::from_str_radix(line.trim().rsplit('\t').next().unwrap(), 16).unwrap();
    assert_eq!(bits(&plain) | 1 << 19, bits(&more));
    assert_ne!(bits(&plain), bits(&more));
}

#[test]
fn volumes_outlive_runs_and_carry_their_own_labels() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let volume = |read_only, labels| VolumeMount {
        volume: format!("farm-test-{}", lab.value),
        path: "/cache".to_owned(),
        read_only,
        labels,
    };
    let labels = BTreeMap::from([(LABEL.to_owned(), lab.volume_value())]);
    let mut spec = lab.script(&image, "echo kept > /cache/file");
    spec.volumes = vec![volume(false, labels.clone())];
    assert_eq!(lab.run(&spec).exit.unwrap(), Exit::Code(0));
    // The run's own label does not reach the volume.
    assert_eq!(lab.engine.remove_leftovers(LABEL, &lab.value).unwrap(), 0);
    let mut spec = lab.script(&image, "cat /cache/file; echo x > /cache/other");
    spec.volumes = vec![volume(true, labels.clone())];
    let outcome = lab.run(&spec);
    assert!(outcome.log.starts_with("kept\n"), "{}", outcome.log);
    assert_ne!(outcome.exit.unwrap(), Exit::Code(0));
    lab.engine.remove_leftovers(LABEL, &labels[LABEL]).unwrap();
    let mut spec = lab.script(&image, "ls /cache");
    spec.volumes = vec![volume(false, labels.clone())];
    assert_eq!(lab.run(&spec).log, "");
}

/// Fires a token as soon as there is output.
struct CancelOnOutput(CancelToken);

impl LogSink for CancelOnOutput {
    fn output(&mut self, _bytes: &[u8]) {
        self.0.cancel();
    }
}

#[test]
fn cancelling_ends_a_run_soon_and_leaves_nothing() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    for script in [
        "echo started; sleep 1000",
        "trap '' TERM; echo started; while true; do sleep 1; done",
    ] {
        let cancel = CancelToken::new();
        let mut log = CancelOnOutput(cancel.clone());
        let ended = lab
            .engine
            .run(&lab.script(&image, script), &mut log, &mut Outputs::default(), &cancel);
        assert!(matches!(ended, Err(ExecutorError::Cancelled)), "{ended:?}");
    }
    // A token that has fired before starts nothing.
    let cancel = CancelToken::new();
    cancel.cancel();
    let ended = lab.engine.run(
        &lab.script(&image, "true"),
        &mut Log::default(),
        &mut Outputs::default(),
        &cancel,
    );
    assert!(matches!(ended, Err(ExecutorError::Cancelled)), "{ended:?}");
    assert_eq!(lab.containers_left(), 0);
}

#[test]
fn what_a_killed_run_left_is_found_by_its_label() {
    struct Started(std::sync::mpsc::Sender<()>);
    impl LogSink for Started {
        fn output(&mut self, _bytes: &[u8]) {
            let _ = self.0.send(());
        }
    }
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let (sender, started) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let run = scope.spawn(|| {
            let spec = lab.script(&image, "echo started; sleep 1000");
            lab.engine.run(
                &spec,
                &mut Started(sender),
                &mut Outputs::default(),
                &CancelToken::new(),
            )
        });
        started.recv().unwrap();
        assert_eq!(lab.engine.remove_leftovers(LABEL, "somebody else").unwrap(), 0);
        assert_eq!(lab.engine.remove_leftovers(LABEL, &lab.value).unwrap(), 1);
        // Whoever waited for it is told that it was killed or is gone, and not left waiting.
        let ended = run.join().unwrap();
        assert!(!matches!(ended, Ok(exit) if exit.success()), "{ended:?}");
    });
    assert_eq!(lab.containers_left(), 0);
}

#[test]
fn cancelling_during_an_upload_ends_it() {
    /// A stream without an end, that asks for the end of the run once it flows.
    struct Endless(CancelToken, usize);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 += buffer.len();
            if self.1 > 4 << 20 {
                self.0.cancel();
            }
            buffer.fill(0);
            Ok(buffer.len())
        }
    }
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let cancel = CancelToken::new();
    let token = cancel.clone();
    let mut spec = lab.script(&image, "true");
    spec.files.push(Box::new(move || {
        // The header of a file that is longer than what follows, so that the engine goes on reading.
        let mut header = tar::Header::new_gnu();
        header.set_path("big").unwrap();
        header.set_size(1 << 40);
        header.set_cksum();
        let start = Cursor::new(header.as_bytes().to_vec());
        Ok(Box::new(start.chain(Endless(token.clone(), 0))) as Box<dyn Read + Send>)
    }));
    let ended = lab
        .engine
        .run(&spec, &mut Log::default(), &mut Outputs::default(), &cancel);
    assert!(matches!(ended, Err(ExecutorError::Cancelled)), "{ended:?}");
    assert_eq!(lab.containers_left(), 0);
}

#[test]
fn a_broken_upload_is_told_and_leaves_nothing() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let mut spec = lab.script(&image, "true");
    spec.files.push(Box::new(|| {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        Ok(Box::new(Broken) as Box<dyn Read + Send>)
    }));
    let error = lab.run(&spec).exit.unwrap_err();
    assert!(
        matches!(&error, ExecutorError::Stream { .. }) && error.to_string().contains("the disk is gone"),
        "{error}"
    );
    spec.files = vec![Box::new(|| {
        Ok(Box::new(Cursor::new(vec![b'x'; 4096])) as Box<dyn Read + Send>)
    })];
    let error = lab.run(&spec).exit.unwrap_err();
    assert!(matches!(&error, ExecutorError::Engine { .. }), "{error:?}");
    assert_eq!(lab.containers_left(), 0);
}

#[test]
fn a_sink_that_fails_or_panics_leaves_nothing() {
    struct Failing(bool);
    impl OutputSink for Failing {
        fn collected(&mut self, _path: &str, tar: &mut dyn Read) -> io::Result<()> {
            tar.read_exact(&mut [0; 16])?;
            assert!(self.0, "the sink panics");
            Err(io::Error::other("no room"))
        }
        fn absent(&mut self, _path: &str) {}
    }
    struct Panicking;
    impl LogSink for Panicking {
        fn output(&mut self, _bytes: &[u8]) {
            panic!("the log panics");
        }
    }
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let mut spec = lab.script(&image, "echo x");
    spec.collect = vec![Collect::OnSuccess("/".to_owned())];
    let error = lab
        .engine
        .run(&spec, &mut Log::default(), &mut Failing(true), &CancelToken::new())
        .unwrap_err();
    assert!(error.to_string().contains("no room"), "{error}");
    let run = |log: &mut dyn LogSink, outputs: &mut dyn OutputSink| {
        catch_unwind(AssertUnwindSafe(|| {
            lab.engine.run(&spec, log, outputs, &CancelToken::new())
        }))
    };
    assert!(run(&mut Log::default(), &mut Failing(false)).is_err());
    assert!(run(&mut Panicking, &mut Outputs::default()).is_err());
    assert_eq!(lab.containers_left(), 0);
}

#[test]
fn a_missing_image_is_told() {
    let lab = Lab::new();
    let nothing = farm_executor::ImageId(format!("sha256:{}", "0".repeat(64)));
    let error = lab.run(&lab.script(&nothing, "true")).exit.unwrap_err();
    assert!(matches!(error, ExecutorError::NoSuchImage { .. }), "{error:?}");
}

#[test]
fn many_threads_run_at_once() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    thread::scope(|scope| {
        for number in 0..6 {
            let (lab, image) = (&lab, &image);
            scope.spawn(move || {
                let outcome = lab.run(&lab.script(image, &format!("echo {number}")));
                assert_eq!(outcome.log, format!("{number}\n"));
            });
        }
    });
    assert_eq!(lab.containers_left(), 0);
    assert!(lab.engine.inspect(&image.0).unwrap().is_some());
}
