package dev.recurrent.training.plot;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** The text of an SVG picture, element by element. */
final class Svg {

    private final StringBuilder text = new StringBuilder();

    /**
     * Adds an element with nothing in it.
     *
     * @param name of the element
     * @param attributes names and values in turn; numbers to two decimals, the rest escaped
     */
    Svg element(String name, Object... attributes) {
        start(name, attributes);
        text.append("/>\n");
        return this;
    }

    /** Adds an element around text. */
    Svg text(String name, String content, Object... attributes) {
        start(name, attributes);
        text.append('>').append(escape(content)).append("</").append(name).append(">\n");
        return this;
    }

    /** Begins an element around others, up to {@link #close}. */
    Svg open(String name, Object... attributes) {
        start(name, attributes);
        text.append(">\n");
        return this;
    }

    Svg close(String name) {
        text.append("</").append(name).append(">\n");
        return this;
    }

    private void start(String name, Object... attributes) {
        text.append('<').append(name);
        for (int i = 0; i < attributes.length; i += 2) {
            Object value = attributes[i + 1];
            text.append(' ')
                    .append(attributes[i])
                    .append("=\"")
                    .append(
                            value instanceof Double number
                                    ? number(number)
                                    : escape(value.toString()))
                    .append('"');
        }
    }

    @Override
    public String toString() {
        return text.toString();
    }

    /** A length to two decimals, of which zeros at the end are left out. */
    static String number(double value) {
        BigDecimal rounded = BigDecimal.valueOf(value).setScale(2, RoundingMode.HALF_EVEN);
        return rounded.signum() == 0 ? "0" : rounded.stripTrailingZeros().toPlainString();
    }

    private static String escape(String value) {
        StringBuilder escaped = new StringBuilder(value.length());
        value.codePoints()
                .forEach(
                        c -> {
                            switch (c) {
                                case '&' -> escaped.append("&amp;");
                                case '<' -> escaped.append("&lt;");
                                case '>' -> escaped.append("&gt;");
                                case '"' -> escaped.append("&quot;");
                                default -> escaped.appendCodePoint(isXml(c) ? c : 0xFFFD);
                            }
                        });
        return escaped.toString();
    }

    /** Which characters XML 1.0 allows (production 2). */
    private static boolean isXml(int c) {
        return c == '\t'
                || c == '\n'
                || c == '\r'
                || c >= 0x20 && c <= 0xD7FF
                || c >= 0xE000 && c <= 0xFFFD
                || c >= 0x10000;
    }
}
