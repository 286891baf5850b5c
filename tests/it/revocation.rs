//! Revocation lists of every authority of a path, of parts of what an authority issued, and of the day before yesterday; each for
//! agencies as clients and for holders as servers, whose handshakes are real.

use crate::folder::Folder;
use crate::pki::{list, serial};
use crate::process::{Scene, health, send};
use crate::suspicions::{Answering, ask, client, clinic_at, nothing};
use oncegate::faces::client::Client;
use oncegate::gateway::driver::now;
use oncegate::host::authority::Authority;
use oncegate::host::transport::Identity;
use oncegate::message::envelope::{Message, ReplyTo};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint,
    CrlScope, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::pki_types::ServerName;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A certificate and its key in PEM.
struct Made {
    certificate: String,
    key: String,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Authority,
    Leaf,
}

/// Makes a certificate, by itself or by an authority; with the places at which its lists are.
fn make(name: &str, by: Option<&Made>, role: Role, places: &[&str]) -> Made {
    let mut params =
        CertificateParams::new(if role == Role::Authority { vec![] } else { vec!["localhost".to_owned()] }).expect("names");
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 1, 1));
    params.crl_distribution_points =
        places.iter().map(|place| CrlDistributionPoint { uris: vec![(*place).to_owned()] }).collect();
    if role == Role::Authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    } else {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    }
    let key = KeyPair::generate().expect("a key");
    let certificate = match by {
        None => params.self_signed(&key),
        Some(by) => {
            let issuer =
                Issuer::from_ca_cert_pem(&by.certificate, KeyPair::from_pem(&by.key).expect("a key")).expect("an issuer");
            params.signed_by(&key, &issuer)
        }
    };
    Made { certificate: certificate.expect("signed").pem(), key: key.serialize_pem() }
}

/// A list of part of what an authority issued, or one that is past its time.
fn part(by: &Made, place: Option<&str>, scope: Option<CrlScope>, next: i32, serials: &[Vec<u8>]) -> String {
    let issuer = Issuer::from_ca_cert_pem(&by.certificate, KeyPair::from_pem(&by.key).expect("a key")).expect("an issuer");
    let revoked = |serial: &Vec<u8>| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: date_time_ymd(2020, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let made = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(next, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: place.map(|place| CrlIssuingDistributionPoint {
            distribution_point: CrlDistributionPoint { uris: vec![place.to_owned()] },
            scope,
        }),
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    made.signed_by(&issuer).expect("signed").pem().expect("PEM")
}

/// A gateway with an authority, and whoever comes with a certificate of that.
struct Meeting {
    folder: Folder,
    root: Made,
    runtime: tokio::runtime::Runtime,
}

impl Meeting {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let meeting = Self { folder: Folder::new(), root: make("The root", None, Role::Authority, &[]), runtime };
        let gateway = make("The gateway", Some(&meeting.root), Role::Leaf, &[]);
        meeting.write("gateway.pem", &gateway.certificate);
        meeting.write("gateway.key", &gateway.key);
        meeting.write("ca.pem", &meeting.root.certificate);
        meeting
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("writable");
        path
    }

    fn serial(&self, made: &Made) -> Vec<u8> {
        serial(&self.write("serial.pem", &made.certificate))
    }

    /// Whether a peer with this chain is believed, as a client and as a server.
    fn believes(&self, chain: &[&Made], lists: &[String]) -> [bool; 2] {
        let text: String = chain.iter().map(|made| made.certificate.as_str()).collect();
        let (certificate, key) = (self.write("peer.pem", &text), self.write("peer.key", &chain[0].key));
        let lists = self.write("lists.pem", &lists.concat());
        let at = |name: &str| self.folder.path().join(name);
        let load = |certificate: &Path, key: &Path, lists: Option<&Path>| {
            Identity::load(certificate, key, &at("ca.pem"), lists).expect("files")
        };
        let (gateway, peer) = (load(&at("gateway.pem"), &at("gateway.key"), Some(&lists)), load(&certificate, &key, None));
        self.runtime.block_on(async { [shaken(&peer, &gateway).await.1, shaken(&gateway, &peer).await.0] })
    }
}

/// Whether the client takes the server, and the server the client.
async fn shaken(client: &Identity, server: &Identity) -> (bool, bool) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let connector = TlsConnector::from(client.client().expect("it fits"));
    let acceptor = TlsAcceptor::from(server.server().expect("it fits").config());
    let (taken, accepted) = tokio::join!(connector.connect(ServerName::try_from("localhost").expect("a name"), near), async {
        acceptor.accept(far).await.is_ok()
    });
    (taken.is_ok(), accepted)
}

#[test]
fn every_authority_of_a_path_has_its_list() {
    let meeting = Meeting::new();
    let between = make("Between", Some(&meeting.root), Role::Authority, &[]);
    let leaf = make("A leaf", Some(&between), Role::Leaf, &[]);
    let [of_leaf, of_between] = [meeting.serial(&leaf), meeting.serial(&between)];
    let whole = |by: &Made, serials: &[Vec<u8>]| list(&by.certificate, &by.key, serials);
    let root = |serials: &[Vec<u8>]| whole(&meeting.root, serials);
    let other = make("Between", Some(&meeting.root), Role::Authority, &[]);
    for (what, lists, expected) in [
        ("no list at all of the authority between", vec![root(&[])], false),
        ("no list of the root", vec![whole(&between, &[])], false),
        ("both, and nobody is revoked", vec![root(&[]), whole(&between, &[])], true),
        ("both, in the other order", vec![whole(&between, &[]), root(&[])], true),
        ("the leaf is revoked", vec![root(&[]), whole(&between, std::slice::from_ref(&of_leaf))], false),
        ("the authority between is revoked", vec![root(std::slice::from_ref(&of_between)), whole(&between, &[])], false),
        ("a number of the leaf's in the root's list", vec![root(std::slice::from_ref(&of_leaf)), whole(&between, &[])], true),
        ("a list of another authority of that name", vec![root(&[]), whole(&other, &[])], false),
        ("that one beside the right one", vec![root(&[]), whole(&other, &[]), whole(&between, &[])], true),
        (
            "that one beside the right one, which revokes the leaf",
            vec![root(&[]), whole(&other, &[]), whole(&between, std::slice::from_ref(&of_leaf))],
            false,
        ),
        (
            "a foreign list that says the leaf is revoked",
            vec![root(&[]), whole(&between, &[]), whole(&other, std::slice::from_ref(&of_leaf))],
            true,
        ),
    ] {
        assert_eq!(meeting.believes(&[&leaf, &between], &lists), [expected; 2], "{what}");
    }
}

/// `IssuingDistributionPoint` is critical (RFC 5280, section 5.2.5): a list with one speaks of the certificates that name its
/// place, or none, and of those of its kind.
#[test]
fn a_list_of_a_distribution_point_speaks_of_those_who_name_it() {
    const HERE: &str = "http://lists.example/1.crl";
    const THERE: &str = "http://lists.example/2.crl";
    let meeting = Meeting::new();
    let leaf = |places: &[&str]| make("A leaf", Some(&meeting.root), Role::Leaf, places);
    let (here, both, nowhere) = (leaf(&[HERE]), leaf(&[THERE, HERE]), leaf(&[]));
    let of = |made: &Made| vec![meeting.serial(made)];
    let at = |place, scope, serials: &[Vec<u8>]| part(&meeting.root, Some(place), scope, 2099, serials);
    let users = || Some(CrlScope::UserCertsOnly);
    let authorities = || Some(CrlScope::CaCertsOnly);
    for (what, leaf, lists, expected) in [
        ("its place", &here, vec![at(HERE, None, &[])], true),
        ("its place, revoked", &here, vec![at(HERE, None, &of(&here))], false),
        ("one of its places", &both, vec![at(HERE, None, &[])], true),
        ("one of its places, revoked", &both, vec![at(HERE, None, &of(&both))], false),
        ("another place alone: nobody knows", &here, vec![at(THERE, None, &[])], false),
        ("both places", &here, vec![at(THERE, None, &[]), at(HERE, None, &[])], true),
        ("both places, revoked at its own", &here, vec![at(THERE, None, &[]), at(HERE, None, &of(&here))], false),
        ("users alone", &here, vec![at(HERE, users(), &[])], true),
        ("users alone, revoked", &here, vec![at(HERE, users(), &of(&here))], false),
        ("authorities alone: nobody knows", &here, vec![at(HERE, authorities(), &[])], false),
        ("no place, of which any list speaks", &nowhere, vec![at(HERE, None, &[])], true),
        ("no place, revoked", &nowhere, vec![at(THERE, None, &[]), at(HERE, None, &of(&nowhere))], false),
        ("a list of everything", &here, vec![part(&meeting.root, None, None, 2099, &[])], true),
        ("a list of everything, revoked", &here, vec![part(&meeting.root, None, None, 2099, &of(&here))], false),
    ] {
        assert_eq!(meeting.believes(&[leaf], &lists), [expected; 2], "{what}");
    }
}

#[test]
fn a_list_past_its_time_still_counts() {
    let meeting = Meeting::new();
    let [revoked, other] = ["One", "Two"].map(|name| make(name, Some(&meeting.root), Role::Leaf, &[]));
    let old = part(&meeting.root, None, None, 2021, &[meeting.serial(&revoked)]);
    assert_eq!(meeting.believes(&[&revoked], std::slice::from_ref(&old)), [false; 2], "what was revoked stays so");
    assert_eq!(meeting.believes(&[&other], &[old]), [true; 2], "and nobody else is");
}

#[test]
fn a_running_gateway_names_a_list_past_its_time() {
    let scene = Scene::new("records = \"off\"\n");
    let folder = scene.world().folder();
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("readable");
    let authority = Made { certificate: read("certs/ca.pem"), key: read("authority/ca.key") };
    let write = |year| fs::write(folder.join("revoked.pem"), part(&authority, None, None, year, &[])).expect("writable");
    write(2099);
    let config = read("oncegate.toml");
    fs::write(scene.config(), config.replace("[exchange]\n", "[exchange]\nrevocation = \"revoked.pem\"\n")).expect("writable");
    let mut gateway = scene.start();
    assert!(!gateway.greeting.contains("revocation list"), "{}", gateway.greeting);
    write(2021);
    gateway.signal("HUP");
    let said = gateway.says("the revocation list of");
    assert!(said.contains("2021-01-01") && said.contains("revoked.pem"), "{said}");
    let (status, body) = health(&scene).expect("it answers");
    let named = body["certificates"].as_array().expect("a list").iter().find(|one| one["what"] == "revocation_list");
    assert!(status == 200 && named.is_some_and(|one| one["state"] == "ended"), "{body}");
    let client = scene.client();
    let received = scene.block_on(send(&client, &scene.request(&client, 0).octets)).expect("it is there");
    assert_eq!(received.status.as_u16(), 200, "exchanges go on");
    gateway.stop();
}

#[test]
fn a_message_is_delivered_to_a_holder_at_an_address_of_ipv6() {
    let Ok(free) = std::net::TcpListener::bind("[::1]:0") else { return };
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let scene = Scene::without_clinic("records = \"off\"\n");
    let folder = scene.world().folder();
    let old = format!("https://{}/", scene.world().provider_address("xx.demo.clinic-3").expect("a holder"));
    let registry = fs::read_to_string(folder.join("registry.toml")).expect("readable");
    assert!(registry.contains(&old));
    fs::write(folder.join("registry.toml"), registry.replace(&old, &format!("https://[::1]:{port}/"))).expect("writable");
    scene.world().installation().sign().expect("signed");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("readable");
    let authority = Authority::open(&read("certs/ca.pem"), &read("authority/ca.key")).expect("an authority");
    let issued = authority.issue_server("xx.demo.clinic-3", &["::1".to_owned()], now()).expect("issued");
    let own = scene.world().agency_folder("xx.demo.clinic-3");
    fs::write(own.join("tls.pem"), issued.certificate).expect("writable");
    fs::write(own.join("tls.key"), issued.key).expect("writable");
    let manner = |client: Arc<Client>, reply: ReplyTo, question: Message| -> Answering {
        let answer = client.sign(&nothing(&client, reply, &question), "").expect("signed");
        Box::pin(std::future::ready(Some(hyper::Response::new(oncegate::host::transport::full(answer.octets)))))
    };
    let connections = clinic_at(&scene, SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port)), Arc::new(manner));
    let gateway = scene.start();
    let fund = client(&scene, "xx.demo.social-fund");
    let received = scene.block_on(send(&fund, &ask(&scene, &fund, 0).octets)).expect("the gateway is there");
    assert_eq!(received.status.as_u16(), 200, "{}", String::from_utf8_lossy(&received.body));
    assert_eq!(connections.load(std::sync::atomic::Ordering::Relaxed), 1);
    gateway.stop();
}
