import java.net.URI;
import java.net.http.*;
import java.nio.file.*;

/** Asks at the desk of an agent: java Ask.java PORT TOKEN-FILE DOCUMENT SCHEME:VALUE PURPOSE */
public class Ask {
    public static void main(String[] a) throws Exception {
        String json = "{\"document\": \"%s\", \"of\": \"%s\", \"for\": \"%s\"}".formatted(a[2], a[3], a[4]);
        HttpRequest ask = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + a[0] + "/ask"))
            .header("Authorization", "Bearer " + Files.readString(Path.of(a[1])).strip())
            .POST(HttpRequest.BodyPublishers.ofString(json)).version(HttpClient.Version.HTTP_1_1).build();
        System.out.println(HttpClient.newHttpClient().send(ask, HttpResponse.BodyHandlers.ofString()).body());
    }
}
