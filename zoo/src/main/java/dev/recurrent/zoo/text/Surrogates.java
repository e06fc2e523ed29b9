package dev.recurrent.zoo.text;

/** The check that a string is text: UTF-16 without unpaired surrogates. */
final class Surrogates {

    private Surrogates() {}

    /**
     * Returns {@code text} if every surrogate in it has its partner.
     *
     * @throws IllegalArgumentException otherwise, naming the place
     */
    static String check(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            boolean paired =
                    Character.isHighSurrogate(c)
                            && i + 1 < text.length()
                            && Character.isLowSurrogate(text.charAt(i + 1));
            if (!paired) {
                throw new IllegalArgumentException(
                        String.format(
                                "The text has an unpaired surrogate, U+%04X, at index %d",
                                (int) c, i));
            }
            i++;
        }
        return text;
    }
}
