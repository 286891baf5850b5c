import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.*;
import java.security.cert.Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The folder of an agency: certificates and keys as PEM files. */
final class Agency {
    static X509Certificate certificate(Path pem) throws Exception {
        return certificate(Files.readAllBytes(pem));
    }

    static X509Certificate certificate(byte[] octets) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(octets));
    }

    /** The certificate, if the agency's ca.pem has signed it and it is valid now. */
    static X509Certificate trusted(Path agency, byte[] octets) throws Exception {
        var leaf = certificate(octets);
        var trust = new PKIXParameters(Set.of(new TrustAnchor(certificate(agency.resolve("ca.pem")), null)));
        trust.setRevocationEnabled(false);
        CertPathValidator.getInstance("PKIX").validate(CertificateFactory.getInstance("X.509").generateCertPath(List.of(leaf)), trust);
        return leaf;
    }

    static PrivateKey key(Path pem, String algorithm) throws Exception {
        var base64 = Files.readString(pem).replaceAll("-----.*?-----|\\s", "");
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
    }

    /** Shows tls.pem to the other side and trusts what ca.pem has signed. */
    static SSLContext tls(Path agency) throws Exception {
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        var certificate = certificate(agency.resolve("tls.pem"));
        var key = key(agency.resolve("tls.key"), certificate.getPublicKey().getAlgorithm());
        store.setKeyEntry("tls", key, new char[0], new Certificate[] {certificate});
        store.setCertificateEntry("ca", certificate(agency.resolve("ca.pem")));
        var keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, new char[0]);
        var trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }
}
