import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.*;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Executors;

/** Answers from a register: Provider AGENCY-DIR AGENCY-ID PORT REGISTER.csv */
final class Provider {
    public static void main(String[] arguments) throws Exception {
        var agency = Path.of(arguments[0]);
        var answers = new Answers(new Ogsig(agency), arguments[1], Path.of(arguments[3]));
        var server = HttpsServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[2])), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(Agency.tls(agency)) {
            @Override
            public void configure(HttpsParameters parameters) {
                var required = getSSLContext().getDefaultSSLParameters();
                required.setNeedClientAuth(true);
                parameters.setSSLParameters(required);
            }
        });
        server.createContext("/", exchange -> respond(exchange, answers));
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
    }

    private static void respond(HttpExchange exchange, Answers answers) throws IOException {
        try {
            send(exchange, 200, "application/xml", answers.to(exchange.getRequestBody().readAllBytes()));
        } catch (Exception reason) {
            var problem = Xml.fill("problem.xml", Map.of("Detail", String.valueOf(reason.getMessage())));
            send(exchange, 400, "application/problem+xml", problem.getBytes(UTF_8));
        }
    }

    private static void send(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
