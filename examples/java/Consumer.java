import java.net.URI;
import java.net.http.*;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.UUID;

/** Asks for a document: Consumer AGENCY-DIR GATEWAY-URL AGENCY-ID DOCUMENT-TYPE SCHEME:VALUE PURPOSE LEGAL-BASIS */
final class Consumer {
    public static void main(String[] arguments) throws Exception {
        var agency = Path.of(arguments[0]);
        var asked = messageId();
        var subject = arguments[4].split(":", 2);
        var message = Xml.fill("request.xml", Map.of("MessageId", asked, "From", arguments[2], "CreatedAt", instant(0),
                "ExpiresAt", instant(5), "DocumentType", arguments[3], "Scheme", subject[0], "Value", subject[1],
                "Purpose", arguments[5], "LegalBasis", arguments[6]));
        var ogsig = new Ogsig(agency);
        var request = ogsig.sign(message, System.getenv().getOrDefault("SIGN", "sign"));
        var post = HttpRequest.newBuilder(URI.create(arguments[1] + "/v1/messages")).header("Content-Type", "application/xml")
                .POST(HttpRequest.BodyPublishers.ofByteArray(request)).build();
        var client = HttpClient.newBuilder().sslContext(Agency.tls(agency)).build();
        var response = client.send(post, HttpResponse.BodyHandlers.ofByteArray());
        if (response.statusCode() >= 400) {
            var problem = Xml.parse(response.body());
            fail(3, Xml.text(problem, "problem/code") + " " + Xml.text(problem, "problem/detail"));
        } else if (response.statusCode() != 200) {
            fail(1, "not answered yet: GET " + arguments[1] + "/v1/messages/" + asked + "/answer");
        }
        var answer = ogsig.verify(response.body());
        var reply = Xml.text(answer, "Message/Header/InReplyTo") + " " + Xml.text(answer, "Message/Header/InReplyTo/@sha256");
        if (!reply.equals(asked + " " + Ogsig.digest(request))) {
            fail(1, "the answer is to another request");
        }
        System.out.println(Xml.write(Xml.find(answer, "Message/Body")));
    }

    /** A UUID of version 7: 48 bits of time in milliseconds, then random bits (RFC 9562). */
    static String messageId() {
        var random = new SecureRandom();
        var high = System.currentTimeMillis() << 16 | 0x7000 | random.nextInt(0x1000);
        return new UUID(high, random.nextLong() >>> 2 | 1L << 63).toString();
    }

    static String instant(int minutes) {
        return Instant.now().plus(minutes, ChronoUnit.MINUTES).truncatedTo(ChronoUnit.MILLIS).toString();
    }

    private static void fail(int status, String reason) {
        System.err.println(reason);
        System.exit(status);
    }
}
