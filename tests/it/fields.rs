//! What a holder is told of the fields that its answer may hold.

use crate::delivery::becomes;
use crate::inbox::{are_outbound, done, header, inbox, post};
use crate::process::Scene;
use crate::suspicions::client;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use oncegate::base::ids::Code;
use oncegate::faces::client::{Client, Signed};
use oncegate::host::transport::{Identity, full};
use oncegate::message::envelope::{Ask, Body, Context, Kind, Message, World};
use oncegate::message::schema::{FieldPath, fields_of_header};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

const SILENT: &str = "records = \"off\"\n";
const CLINIC: &str = "xx.demo.clinic-3";
/// What the demo grants a school of a note, and what describes the pupil in it.
const GRANTED: &str = "Absence,PeExemption,InfectiousContact,Patient";

/// A question for a note that selects these fields.
fn asking(scene: &Scene, school: &Client, select: &[&str]) -> Signed {
    let code = |text| Code::parse(text).expect("a code");
    let select = select.iter().map(|path| FieldPath::parse(path).expect("a path")).collect();
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select, during: None };
    let context = Context::new(code("school-attendance"), "XX:HEALTH:13", scene.world().people()[0].subject());
    school.request(ask, context, None, World::Live).expect("signed")
}

fn paths(header: &str) -> Vec<String> {
    fields_of_header(header).expect("paths").iter().map(ToString::to_string).collect()
}

/// Puts a holder into the clinic's place that takes what it gets and tells of the header beside it.
fn clinic_hears(scene: &Scene) -> mpsc::UnboundedReceiver<Option<String>> {
    let folder = scene.world().agency_folder(CLINIC);
    let identity = Identity::load(&folder.join("tls.pem"), &folder.join("tls.key"), &folder.join("ca.pem"), None);
    let tls = TlsAcceptor::from(identity.expect("files").server().expect("they fit").config());
    let listener = TcpListener::bind(scene.world().provider_address(CLINIC).expect("a holder"));
    let listener = scene.block_on(listener).expect("nobody is there");
    let (heard, hears) = mpsc::unbounded_channel();
    let answer = move |request: Request<hyper::body::Incoming>| {
        let said = request.headers().get("oncegate-fields").map(|value| value.to_str().expect("ASCII").to_owned());
        let heard = heard.clone();
        async move {
            request.into_body().collect().await?;
            heard.send(said).expect("the test listens");
            let mut response = Response::new(full(""));
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok::<_, hyper::Error>(response)
        }
    };
    let serving = async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, answer) = (tls.clone(), answer.clone());
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else { return };
                let server = hyper::server::conn::http1::Builder::new();
                let _ = server.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    };
    scene.block_on(async { drop(tokio::spawn(serving)) });
    hears
}

#[test]
fn a_holder_that_is_asked_is_told_which_fields_its_answer_may_hold() {
    let scene = Scene::without_clinic(SILENT);
    let school = scene.client();
    let mut hears = clinic_hears(&scene);
    let gateway = scene.start();
    scene.block_on(async {
        for (select, expected) in [(&[][..], GRANTED), (&["Absence"], "Absence,Patient"), (&["Patient"], "Patient")] {
            let request = asking(&scene, &school, select);
            assert_eq!(post(&school, &request, "respond-async").await.status.as_u16(), 202);
            let said = hears.recv().await.expect("it is asked");
            assert_eq!(said.as_deref(), Some(expected), "{select:?}");
            becomes(&school, &request, "delivered").await;
        }
    });
    gateway.stop();
}

#[test]
fn a_worker_is_told_which_fields_its_answer_may_hold_with_each_question_and_nothing_else() {
    let scene = Scene::prepared_without_clinic(SILENT, &are_outbound);
    let (school, clinic) = (scene.client(), client(&scene, CLINIC));
    let gateway = scene.start();
    scene.block_on(async {
        let whole = asking(&scene, &school, &[]);
        assert_eq!(post(&school, &whole, "respond-async").await.status.as_u16(), 202);
        let leased = inbox(&clinic, "wait=9").await;
        assert_eq!(header(&leased, "oncegate-fields"), GRANTED);
        assert_eq!(done(&clinic, header(&leased, "oncegate-lease"), "ack").await.0, 200);
        let part = asking(&scene, &school, &["Absence", "PeExemption"]);
        assert_eq!(post(&school, &part, "respond-async").await.status.as_u16(), 202);
        let leased = inbox(&clinic, "wait=9&max=2").await;
        let text = String::from_utf8_lossy(&leased.body);
        let said = text.split("\r\noncegate-fields: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        assert_eq!(said.map(paths), Some(["Absence", "PeExemption", "Patient"].map(str::to_owned).to_vec()));
        // A cancel is no question.
        let header_of = school.header(Kind::Cancel, None, Some(reply(&part)), World::Live).expect("a header");
        let body = Body::State { of: Code::parse("withdrawn").expect("a code"), at: header_of.created_at };
        let cancel = Message { header: header_of, context: None, body, attachments: Vec::new() };
        let cancel = school.sign(&cancel, "").expect("signed");
        assert_eq!(post(&school, &cancel, "").await.status.as_u16(), 202);
        let leased = inbox(&clinic, "wait=9").await;
        assert_eq!(header(&leased, "oncegate-kind"), "cancel");
        assert!(!leased.headers.contains_key("oncegate-fields"));
    });
    gateway.stop();
}

fn reply(request: &Signed) -> oncegate::message::envelope::ReplyTo {
    oncegate::message::envelope::ReplyTo { id: request.id, digest: request.digest }
}
