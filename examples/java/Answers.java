import java.nio.file.Path;
import java.util.HashMap;
import java.util.UUID;
import org.w3c.dom.Document;

/** Answers to requests, from a register. */
record Answers(Ogsig ogsig, String agencyId, Path register) {
    /** The signed answer to a signed request. */
    byte[] to(byte[] octets) throws Exception {
        var request = ogsig.verify(octets);
        var expires = Xml.text(request, "Message/Header/ExpiresAt");
        if (!Xml.text(request, "Message/Header/Kind").equals("request") || expires.compareTo(Consumer.instant(0)) <= 0) {
            throw new IllegalArgumentException("no request, or an expired one");
        }
        var values = new HashMap<String, String>();
        values.put("MessageId", Consumer.messageId());
        values.put("InReplyTo", Xml.text(request, "Message/Header/MessageId"));
        values.put("Sha256", Ogsig.digest(octets));
        values.put("From", agencyId);
        values.put("To", Xml.text(request, "Message/Header/From"));
        values.put("CreatedAt", Consumer.instant(0));
        values.put("ExpiresAt", expires);
        values.put("Context", Xml.write(Xml.find(request, "Message/Context")));
        values.put("Body", body(request));
        return ogsig.sign(Xml.fill("answer.xml", values), System.getenv().getOrDefault("SIGN", "sign"));
    }

    private String body(Document request) throws Exception {
        var type = Xml.text(request, "Message/Body/Ask/DocumentType");
        var scheme = Xml.text(request, "Message/Context/Subject/Id/@scheme");
        var values = Register.find(register, type, scheme, Xml.text(request, "Message/Context/Subject/Id"));
        var template = values.isEmpty() ? "no-record.xml" : type + ".xml";
        values.put("DocumentType", type);
        values.put("Register", register.getFileName().toString().replaceFirst("\\.csv$", ""));
        values.put("DocumentId", UUID.randomUUID().toString());
        values.put("CreatedAt", Consumer.instant(0));
        return Xml.fill(template, values);
    }
}
