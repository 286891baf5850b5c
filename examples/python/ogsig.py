"""The signature profile og-sig-1 with signxml: fill a template, sign a message, verify a message."""

import re
from base64 import b64decode
from pathlib import Path
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from signxml import DigestAlgorithm, SignatureConfiguration, SignatureMethod, XMLSigner, XMLVerifier

NS = {"m": "urn:oncegate:message:1", "t": "urn:oncegate:types:1", "ds": "http://www.w3.org/2000/09/xmldsig#"}
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
TRANSFORMS = [NS["ds"] + "enveloped-signature", EXCLUSIVE]
ACCEPTED = SignatureConfiguration(
    location="./",
    signature_methods=frozenset({SignatureMethod.ECDSA_SHA256, SignatureMethod.RSA_SHA256}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
)


def fill(template, **values):
    """{Context} and {Body} stand for markup, every other name for text."""
    def value(name):
        return values[name] if name in ("Context", "Body") else escape(values[name], {'"': "&quot;"})
    text = (Path(__file__).parent.parent / "templates" / template).read_text("utf-8")
    return re.sub(r"\{(\w+)\}", lambda match: value(match[1]), text).strip()


def sign(message, agency, name):
    """Signs the text of a message with the key NAME.key of an agency's folder."""
    key, certificate = (agency / f"{name}.key").read_bytes(), (agency / f"{name}.pem").read_text()
    is_rsa = isinstance(load_pem_private_key(key, None), RSAPrivateKey)
    signer = XMLSigner(signature_algorithm="rsa-sha256" if is_rsa else "ecdsa-sha256", c14n_algorithm=EXCLUSIVE)
    return etree.tostring(signer.sign(etree.fromstring(message), key=key, cert=certificate), encoding="UTF-8")


def verify(octets, ca):
    """Gives the message as it was signed; raises an exception if anything is not as og-sig-1 has it."""
    result = XMLVerifier().verify(octets, ca_pem_file=str(ca), expect_config=ACCEPTED)
    message, reference = result.signed_xml, result.signature_xml.find("ds:SignedInfo/ds:Reference", NS)
    transforms = [transform.get("Algorithm") for transform in reference.iterfind("ds:Transforms/ds:Transform", NS)]
    if reference.get("URI") != "" or transforms != TRANSFORMS or message.tag != "{%(m)s}Message" % NS:
        raise ValueError("the signature does not cover the whole message")
    certificate = x509.load_der_x509_certificate(b64decode(result.signature_xml.findtext(".//ds:X509Certificate", "", NS)))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    sender = message.findtext("m:Header/m:From", "", NS)
    if f"urn:oncegate:agency:{sender}" not in names.get_values_for_type(x509.UniformResourceIdentifier):
        raise ValueError("the signer is not the sender")
    return message


def digest(octets):
    """The digest of a signed message in hex: what an answer to it must name."""
    return b64decode(etree.fromstring(octets).findtext("ds:Signature//ds:DigestValue", "", NS)).hex()
