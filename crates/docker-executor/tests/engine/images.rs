//! Images in the real engine, without a registry.

use std::io::{self, Cursor, Read};

use crate::common::{LABEL, Lab, Lines, busybox_layer, docker_archive, entries, tar_of};
use farm_executor::{CancelToken, Executor, ExecutorError, ImageId, ImageStore};

#[test]
fn an_image_is_what_was_loaded() {
    let lab = Lab::new();
    let id = lab.image(|config| {
        config["Env"] = serde_json::json!(["A=1"]);
        config["Cmd"] = serde_json::json!(["sh"]);
        config["Entrypoint"] = serde_json::json!(["/bin/env"]);
        config["User"] = serde_json::json!("5");
        config["WorkingDir"] = serde_json::json!("/usr");
    });
    let info = lab.engine.inspect(&id.0).unwrap().unwrap();
    assert_eq!(info.id, id);
    assert_eq!(info.layers, [crate::common::sha256(&busybox_layer())]);
    assert_eq!(
        (info.env, info.cmd, info.entrypoint),
        (vec!["A=1".into()], vec!["sh".into()], vec!["/bin/env".into()])
    );
    assert_eq!((info.user.as_str(), info.workdir.as_str()), ("5", "/usr"));
    assert_eq!(info.labels[LABEL], lab.value);
    assert_eq!((info.architecture.as_str(), info.os.as_str()), ("amd64", "linux"));
    assert_eq!(
        lab.engine.list_labelled(LABEL, Some(&lab.value)).unwrap(),
        std::slice::from_ref(&id)
    );
    assert!(lab.engine.list_labelled(LABEL, None).unwrap().contains(&id));
    assert!(lab.engine.list_labelled(LABEL, Some("nobody")).unwrap().is_empty());
}

#[test]
fn known_layers_may_be_left_out_and_unknown_ones_are_asked_for() {
    let lab = Lab::new();
    let lower = tar_of(&[("lower", lab.value.as_bytes())]);
    let upper = tar_of(&[("upper", lab.value.as_bytes())]);
    let base = lab.load(std::slice::from_ref(&lower), |_| {});
    let layers = [lower, upper];
    let (id, config) = lab.config(&layers, |config| config["Cmd"] = serde_json::json!(["x"]));
    let load = |included: &[bool]| {
        lab.engine
            .load(&mut Cursor::new(docker_archive(&config, &layers, included)))
    };
    assert!(!load(&[false, false]).unwrap());
    assert!(lab.engine.inspect(&id.0).unwrap().is_none());
    assert!(load(&[false, true]).unwrap());
    assert!(lab.engine.inspect(&id.0).unwrap().is_some());
    lab.engine.remove_image(&id.0).unwrap();
    lab.engine.remove_image(&base.0).unwrap();
    assert!(!load(&[false, true]).unwrap());
    assert!(load(&[true, true]).unwrap());
}

#[test]
fn what_is_no_archive_is_an_error() {
    let lab = Lab::new();
    let error = lab.engine.load(&mut Cursor::new(tar_of(&[("x", b"y")]))).unwrap_err();
    assert!(matches!(error, ExecutorError::Engine { .. }), "{error:?}");
    let error = lab.engine.load(&mut Cursor::new(b"not a tar".repeat(200))).unwrap_err();
    assert!(matches!(error, ExecutorError::Engine { .. }), "{error:?}");
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let error = lab.engine.load(&mut Broken).unwrap_err();
    assert!(matches!(error, ExecutorError::Stream { .. }), "{error:?}");
}

#[test]
fn paths_are_read_without_running_anything() {
    let lab = Lab::new();
    // From scratch: no command, no shell, nothing that could run.
    let id = lab.load(&[tar_of(&[("data/", b""), ("data/a", b"1"), ("data/b", b"2")])], |_| {});
    let read = |path: &str| {
        let mut found = Default::default();
        lab.engine
            .read_path(&id, path, &mut |tar| {
                found = entries(tar)?;
                Ok(())
            })
            .map(|()| found)
    };
    let folder = read("/data").unwrap();
    assert_eq!(folder.keys().collect::<Vec<_>>(), ["data/", "data/a", "data/b"]);
    assert_eq!(read("/data/b").unwrap()["b"], b"2");
    assert_eq!(read("/").unwrap()["data/a"], b"1");
    let error = read("/missing").unwrap_err();
    assert!(error.to_string().contains("/missing"), "{error}");
    let error = lab
        .engine
        .read_path(&id, "/data", &mut |_| Err(io::Error::other("no room")))
        .unwrap_err();
    assert!(matches!(error, ExecutorError::Stream { .. }), "{error:?}");
    let nothing = ImageId(format!("sha256:{}", "0".repeat(64)));
    let error = lab.engine.read_path(&nothing, "/", &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, ExecutorError::NoSuchImage { .. }), "{error:?}");
    assert_eq!(lab.containers_left(), 0);
}

#[test]
fn an_image_is_saved_with_all_its_layers() {
    let lab = Lab::new();
    // Containers get an /etc/hosts of their own, which is no part of the image.
    let layers = [
        tar_of(&[("etc/", b""), ("etc/hosts", b"of the image")]),
        tar_of(&[("upper", b"2")]),
    ];
    let id = lab.load(&layers, |_| {});
    let save = |id: &ImageId| {
        let mut found = Default::default();
        lab.engine
            .save(id, &mut |archive| {
                found = entries(archive)?;
                Ok(())
            })
            .map(|()| found)
    };
    let saved = save(&id).unwrap();
    assert!(saved.contains_key("manifest.json"));
    for layer in &layers {
        assert!(saved.values().any(|bytes| bytes == layer), "{:?}", saved.keys());
    }
    let broken = lab
        .engine
        .save(&id, &mut |_| Err(io::Error::other("no room")))
        .unwrap_err();
    assert!(matches!(broken, ExecutorError::Stream { .. }), "{broken:?}");
    let error = save(&ImageId(format!("sha256:{}", "0".repeat(64)))).unwrap_err();
    assert!(matches!(error, ExecutorError::NoSuchImage { .. }), "{error:?}");
}

#[test]
fn names_come_and_go() {
    let lab = Lab::new();
    let id = lab.image(|_| {});
    let names = ["one", "two"].map(|tag| format!("farm-test-{}:{tag}", lab.value));
    for name in &names {
        lab.engine.tag(&id, name).unwrap();
        assert_eq!(lab.engine.inspect(name).unwrap().unwrap().id, id);
    }
    assert_eq!(lab.engine.inspect(&id.0).unwrap().unwrap().tags.len(), 2);
    // No registry serves this name.
    assert_eq!(lab.engine.resolve(&id.0).unwrap(), id.0);
    assert_eq!(
        lab.engine
            .pull(&id.0, &mut Lines::default(), &CancelToken::new())
            .unwrap()
            .id,
        id
    );
    lab.engine.remove_image(&names[0]).unwrap();
    assert!(lab.engine.inspect(&id.0).unwrap().is_none());
    assert!(lab.engine.inspect(&names[1]).unwrap().is_none());
    lab.engine.remove_image(&names[0]).unwrap();
    let error = lab.engine.tag(&id, &names[0]).unwrap_err();
    assert!(matches!(error, ExecutorError::NoSuchImage { .. }), "{error:?}");
    let error = lab.engine.resolve(&id.0).unwrap_err();
    assert!(matches!(error, ExecutorError::NoSuchImage { .. }), "{error:?}");
}

#[test]
fn the_engine_has_a_name() {
    let lab = Lab::new();
    assert!(["docker", "podman"].contains(&lab.engine.name()));
    assert!(lab.engine.address().starts_with("unix://"));
}
