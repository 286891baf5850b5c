import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.file.Path;
import java.security.Provider;
import java.security.SignatureException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import javax.xml.crypto.dsig.*;
import javax.xml.crypto.dsig.dom.*;
import javax.xml.crypto.dsig.spec.*;
import org.w3c.dom.Document;

/** The signature profile og-sig-1 with javax.xml.crypto: sign a message, verify a message. */
record Ogsig(Path agency) {
    private static final String EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE, MORE = "http://www.w3.org/2001/04/xmldsig-more#";
    private static final Map<String, String> ALGORITHMS = Map.of("RSA", MORE + "rsa-sha256", "EC", MORE + "ecdsa-sha256",
            "EdDSA", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519");

    /** Signs the text of a message with the key NAME.key of the agency's folder. */
    byte[] sign(String message, String name) throws Exception {
        var certificate = Agency.certificate(agency.resolve(name + ".pem"));
        var type = certificate.getPublicKey().getAlgorithm();
        var xml = factory();
        var none = (TransformParameterSpec) null;
        var transforms = List.of(xml.newTransform(Transform.ENVELOPED, none), xml.newTransform(EXCLUSIVE, none));
        var reference = xml.newReference("", xml.newDigestMethod(DigestMethod.SHA256, null), transforms, null, null);
        var info = xml.newSignedInfo(xml.newCanonicalizationMethod(EXCLUSIVE, (C14NMethodParameterSpec) null),
                xml.newSignatureMethod(ALGORITHMS.get(type), null), List.of(reference));
        var keys = xml.getKeyInfoFactory();
        var signature = xml.newXMLSignature(info, keys.newKeyInfo(List.of(keys.newX509Data(List.of(certificate)))));
        var document = Xml.parse(message.getBytes(UTF_8));
        signature.sign(new DOMSignContext(Agency.key(agency.resolve(name + ".key"), type), document.getDocumentElement()));
        return Xml.write(document).getBytes(UTF_8);
    }

    /** Gives the message if everything is as og-sig-1 has it, and throws otherwise. */
    Document verify(byte[] octets) throws Exception {
        var document = Xml.parse(octets);
        var leaf = Agency.trusted(agency, decoded(document, "KeyInfo/X509Data/X509Certificate"));
        var context = new DOMValidateContext(leaf.getPublicKey(), Xml.find(document, "Message/Signature"));
        var signature = factory().unmarshalXMLSignature(context);
        var references = signature.getSignedInfo().getReferences();
        var transforms = references.get(0).getTransforms().stream().map(Transform::getAlgorithm).toList();
        var whole = references.size() == 1 && references.get(0).getURI().isEmpty()
                && transforms.equals(List.of(Transform.ENVELOPED, EXCLUSIVE))
                && document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature").getLength() == 1;
        if (!whole || !ALGORITHMS.containsValue(signature.getSignedInfo().getSignatureMethod().getAlgorithm())) {
            throw new SignatureException("the signature is not of the profile");
        }
        var sender = "urn:oncegate:agency:" + Xml.text(document, "Message/Header/From");
        if (!signature.validate(context) || !leaf.getSubjectAlternativeNames().contains(List.of(6, sender))) {
            throw new SignatureException("the signature is not valid or not the sender's");
        }
        return document;
    }

    /** The digest of a signed message in hex: what an answer to it must name. */
    static String digest(byte[] octets) throws Exception {
        return HexFormat.of().formatHex(decoded(Xml.parse(octets), "SignedInfo/Reference/DigestValue"));
    }

    private static byte[] decoded(Document document, String path) throws Exception {
        return Base64.getMimeDecoder().decode(Xml.text(document, "Message/Signature/" + path));
    }

    /** The JDK's own, or with -Dxmldsig=org.apache.jcp.xml.dsig.internal.dom.XMLDSigRI Apache Santuario. */
    private static XMLSignatureFactory factory() throws Exception {
        var name = System.getProperty("xmldsig");
        var provider = name == null ? null : (Provider) Class.forName(name).getConstructor().newInstance();
        return provider == null ? XMLSignatureFactory.getInstance("DOM") : XMLSignatureFactory.getInstance("DOM", provider);
    }
}
