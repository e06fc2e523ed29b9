package dev.recurrent.evaluation.report;

/** How many columns of a terminal a text takes. */
final class Columns {

    /** Where wide characters are (Unicode's East Asian Width, W and F): first and last, in turn. */
    private static final int[] WIDE = {
        0x1100, 0x115F, 0x2E80, 0x303E, 0x3041, 0xA4CF, 0xAC00, 0xD7A3, 0xF900, 0xFAFF, 0xFE30,
        0xFE6F, 0xFF00, 0xFF60, 0xFFE0, 0xFFE6, 0x1F300, 0x1F64F, 0x1F680, 0x1F6FF, 0x1F900,
        0x1F9FF, 0x20000, 0x3FFFD
    };

    private Columns() {}

    /** Returns the columns of a text without line breaks. */
    static int of(String text) {
        return text.codePoints().map(Columns::of).sum();
    }

    private static int of(int character) {
        switch (Character.getType(character)) {
            case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.FORMAT:
                return 0;
            default:
                return isWide(character) ? 2 : 1;
        }
    }

    private static boolean isWide(int character) {
        for (int i = 0; i < WIDE.length; i += 2) {
            if (character >= WIDE[i] && character <= WIDE[i + 1]) {
                return true;
            }
        }
        return false;
    }
}
