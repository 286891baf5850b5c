//! A refusal as octets: in a response, and where the gateway says something of its own accord.

use super::Refused;
use crate::message::xml::Writer;

/// A refusal as a problem in XML. RFC 9457, appendix B, keeps the namespace of RFC 7807.
pub fn as_xml(refused: &Refused) -> String {
    let fault = &refused.fault;
    let code = fault.code;
    let mut out = Writer::new();
    out.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").open("problem", &[("xmlns", "urn:ietf:rfc:7807")]);
    out.leaf("type", &format!("urn:oncegate:error:{code}"))
        .leaf("title", code.title())
        .leaf("status", &code.status().to_string());
    out.leaf("detail", if fault.detail.is_empty() { code.title() } else { &fault.detail });
    out.leaf("code", code.as_str()).leaf("blame", code.blame().as_str()).leaf("retry", code.retry().as_str());
    out.leaf_if("retryAfterSeconds", fault.retry_after_seconds.map(|seconds| seconds.to_string()).as_deref());
    out.leaf_if("messageId", refused.id.map(|id| id.to_string()).as_deref());
    out.leaf_if("logIndex", refused.logged.map(|logged| logged.index().to_string()).as_deref());
    out.leaf("help", code.next_step());
    out.finish() + "\n"
}
