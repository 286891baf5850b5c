import java.io.File;
import java.nio.file.Files;
import java.io.ByteArrayInputStream;
import javax.xml.XMLConstants;
import javax.xml.transform.sax.SAXSource;
import javax.xml.validation.SchemaFactory;
import javax.xml.validation.Validator;
import org.xml.sax.InputSource;

/** Validate SCHEMA DOCUMENT: the least milliseconds of many validations by the JDK, once it is warm. */
class Validate {
    public static void main(String[] arguments) throws Exception {
        Validator validator = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI).newSchema(new File(arguments[0])).newValidator();
        byte[] document = Files.readAllBytes(new File(arguments[1]).toPath());
        long least = Long.MAX_VALUE, end = System.nanoTime() + 6_000_000_000L;
        while (System.nanoTime() < end) {
            long begin = System.nanoTime();
            validator.validate(new SAXSource(new InputSource(new ByteArrayInputStream(document))));
            least = Math.min(least, System.nanoTime() - begin);
        }
        System.out.println(least / 1e6);
    }
}
