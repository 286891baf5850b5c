import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A table of comma-separated values without quotes; its first row names the columns. */
final class Register {
    /** The first row that begins with these values, each value with the name of its column; empty if there is none. */
    static Map<String, String> find(Path register, String... wanted) throws Exception {
        var rows = Files.readAllLines(register).stream().map(line -> List.of(line.split(",", -1))).toList();
        var row = new HashMap<String, String>();
        rows.stream().filter(each -> each.subList(0, wanted.length).equals(List.of(wanted))).findFirst().ifPresent(found -> {
            for (var at = 0; at < found.size(); at++) {
                row.put(rows.get(0).get(at), found.get(at));
            }
        });
        return row;
    }
}
