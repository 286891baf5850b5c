import java.nio.file.Files;
import java.nio.file.Path;

/** The JDK or Santuario as a peer: Peer sign AGENCY-DIR KEY-NAME IN OUT | verify AGENCY-DIR FILE... */
final class Peer {
    public static void main(String[] arguments) throws Exception {
        var ogsig = new Ogsig(Path.of(arguments[1]));
        if (arguments[0].equals("sign")) {
            Files.write(Path.of(arguments[4]), ogsig.sign(Files.readString(Path.of(arguments[3])), arguments[2]));
            return;
        }
        for (var at = 2; at < arguments.length; at++) {
            var octets = Files.readAllBytes(Path.of(arguments[at]));
            try {
                ogsig.verify(octets);
                System.out.println("valid " + Ogsig.digest(octets));
            } catch (Exception reason) {
                System.out.println("refused " + reason.getClass().getSimpleName());
            }
        }
    }
}
