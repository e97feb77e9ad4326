//! What a package's build cannot reach: the network, and whatever it does not declare.

use std::net::TcpListener;

use crate::support::{FarmSpace, base_image, docker};

const LEAF: &str = "farms/tiny/overlay/app-misc/leaf/leaf-1.0.ebuild";

/// Prints the address of the engine's bridge, which is the gateway of every container that has a network.
const GATEWAY: &str = r#"
import socket, struct
for line in open("/proc/net/route").readlines()[1:]:
    fields = line.split()
    if fields[1] == "00000000":
        print(socket.inet_ntoa(struct.pack("<L", int(fields[2], 16))))
"#;

/// Opens a connection to `HOST PORT`.
const CONNECT: &str =
    "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 10); print('connected')";

#[test]
fn a_compile_that_tries_the_network_fails() {
    let in_container = |arguments: &[&str]| {
        let mut all = vec![
            "run",
            "--rm",
            "--label",
            "org.farm.test=1",
            base_image(),
            "python3",
            "-c",
        ];
        all.extend(arguments);
        docker(&all)
    };
    // Nothing leaves this machine: the other end is here, where every container with a network reaches it.
    let gateway = in_container(&[GATEWAY]);
    let listener = TcpListener::bind((gateway.as_str(), 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    assert_eq!(in_container(&[CONNECT, &gateway, &port]), "connected");

    let space = FarmSpace::ready();
    let connect = format!("python3 -c \"{CONNECT}\" {gateway} {port} || die 'no network'");
    let compile = format!("src_compile() {{\n\tcat /proc/net/dev /proc/net/route || die\n\t{connect}");
    space.edit(LEAF, "src_compile() {", &compile);
    let output = space.farm(&["build", "tiny:pkg/app-misc/leaf"]).ended(1);
    assert!(output.stderr.contains("Network is unreachable"), "{output}");

    let log = space.read(".farm/logs/tiny/pkg/app-misc/leaf-1.0.log");
    let interfaces: Vec<&str> = log
        .lines()
        .skip_while(|line| !line.starts_with("Inter-|"))
        .skip(2)
        .take_while(|line| line.contains(':'))
        .map(|line| line.split(':').next().unwrap_or_default().trim())
        .collect();
    let up: Vec<&str> = interfaces.iter().copied().filter(|name| *name != "lo").collect();
    assert!(interfaces.contains(&"lo"), "{log}");
    // A kernel may put unconfigured tunnels into every namespace; a way out has a route.
    assert!(up.iter().all(|name| !name.starts_with("eth")), "{log}");
    let routes = log.lines().skip_while(|line| !line.starts_with("Iface")).skip(1);
    let routes: Vec<&str> = routes.take_while(|line| line.contains('\t')).collect();
    assert_eq!(routes, [""; 0], "{log}");
}

#[test]
fn an_undeclared_dependency_is_not_there() {
    let space = FarmSpace::ready();
    let ebuild = |depend: &str| {
        format!(
            r#"EAPI=8

inherit tiny

DESCRIPTION="Uses libfoo"
HOMEPAGE="https://example.org/sly"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
{depend}
src_compile() {{
	tiny_program sly -lfoo
}}

src_install() {{
	dobin sly
}}
"#
        )
    };
    let folder = "farms/tiny/overlay/app-misc/sly";
    space.write(&format!("{folder}/sly-1.0.ebuild"), ebuild(""));
    let code = "#include <foo.h>\n\nint main(void) { return foo_count() != 41; }\n";
    space.write(&format!("{folder}/files/sly.c"), code);
    space.edit(
        "farms/tiny/farm.yaml",
        "    packages: |\n",
        "    packages: |\n      app-misc/sly\n",
    );

    // libfoo is built, and in the binhost; this package may not see it all the same.
    let output = space.farm(&["build", "tiny:pkg/app-misc/sly"]).ended(1);
    assert!(output.stderr.contains("foo.h: No such file or directory"), "{output}");
    let dependency = "RDEPEND=\"dev-libs/libfoo:=\"\nDEPEND=\"${RDEPEND}\"\n";
    space.write(&format!("{folder}/sly-1.0.ebuild"), ebuild(dependency));
    let output = space.farm(&["build", "tiny:pkg/app-misc/sly", "--json"]).succeeded();
    assert!(output.ran().contains("tiny:pkg/app-misc/sly-1.0"), "{output}");
    assert!(!output.ran().contains("tiny:pkg/dev-libs/libfoo-1.2"), "{output}");
}
