import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import javax.xml.xpath.XPathConstants;
import javax.xml.xpath.XPathFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Node;

/** Reading and writing XML, and filling the templates. */
final class Xml {
    private static final Path TEMPLATES = Path.of(System.getProperty("templates", "../templates"));

    static Document parse(byte[] octets) throws Exception {
        var factory = DocumentBuilderFactory.newDefaultNSInstance();
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return factory.newDocumentBuilder().parse(new ByteArrayInputStream(octets));
    }

    static String write(Node node) throws Exception {
        var transformer = TransformerFactory.newDefaultInstance().newTransformer();
        transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
        var out = new StringWriter();
        transformer.transform(new DOMSource(node), new StreamResult(out));
        return out.toString();
    }

    /** The node at a path like Message/Header/From or Message/Header/InReplyTo/@sha256, or null. */
    static Node find(Document document, String path) throws Exception {
        var steps = path.replaceAll("(^|/)(\\w+)", "/*[local-name()='$2']");
        return (Node) XPathFactory.newDefaultInstance().newXPath().evaluate(steps, document, XPathConstants.NODE);
    }

    static String text(Document document, String path) throws Exception {
        var node = find(document, path);
        return node == null ? "" : node.getTextContent();
    }

    /** {Context} and {Body} stand for markup, every other name for text. */
    static String fill(String template, Map<String, String> values) throws IOException {
        var text = Files.readString(TEMPLATES.resolve(template)).strip();
        return Pattern.compile("\\{(\\w+)}").matcher(text).replaceAll(found -> {
            var value = values.get(found.group(1));
            return Matcher.quoteReplacement(found.group(1).matches("Context|Body") ? value : escape(value));
        });
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
