package dev.recurrent.evaluation.task.needle;

import dev.recurrent.training.data.Seeds;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.UUID;

/**
 * A sentence that is hidden in a text and asked for, with RULER's words.
 *
 * @param type what is hidden
 * @param key by which it is asked for
 * @param value the answer
 * @param depth which part of the text's sentences stands before it, in percent
 */
record Needle(Type type, String key, String value, int depth) {

    private static final List<String> ADJECTIVES = WordLists.read("adjectives");
    private static final List<String> NOUNS = WordLists.read("nouns");

    /** What is hidden. */
    enum Type {

        /** Seven digits, the first not 0. */
        NUMBER("number", "0123456789") {
            @Override
            String draw(SplittableRandom random) {
                return Integer.toString(random.nextInt(1_000_000, 10_000_000));
            }
        },

        /** A random UUID (version 4). */
        UUID("uuid", "0123456789abcdef-") {
            @Override
            String draw(SplittableRandom random) {
                long high = random.nextLong() & ~0xF000L | 0x4000L;
                long low = random.nextLong() & ~(0b11L << 62) | 0b10L << 62;
                return new UUID(high, low).toString();
            }
        };

        private final String noun;
        private final String symbols;

        Type(String noun, String symbols) {
            this.noun = noun;
            this.symbols = symbols;
        }

        /** Returns the characters that values are made of. */
        String symbols() {
            return symbols;
        }

        abstract String draw(SplittableRandom random);
    }

    /** Draws a document's needle. */
    static Needle draw(Type type, long seed, long document) {
        SplittableRandom random = Seeds.random(seed, document);
        String key = one(ADJECTIVES, random) + "-" + one(NOUNS, random);
        return new Needle(type, key, type.draw(random), Depths.of(document));
    }

    private static String one(List<String> words, SplittableRandom random) {
        return words.get(random.nextInt(words.size()));
    }

    /** Returns the sentence. */
    String sentence() {
        return "One of the special magic " + type.noun + "s for " + key + " is: " + value + ".";
    }

    /** Returns the text with the sentence in it, at the boundary of sentences at its depth. */
    String hide(Haystack haystack, int pieces) {
        List<String> sentences = new ArrayList<>(haystack.sentences(pieces));
        sentences.add(sentences.size() * depth / 100, sentence());
        return String.join(haystack.separator(), sentences);
    }

    /** Returns the text with the question around it, up to where the value is to come. */
    String prompt(Haystack haystack, int pieces) {
        return "A special magic "
                + type.noun
                + " is hidden within the following text. Make sure to memorize it. I will quiz you"
                + " about the "
                + type.noun
                + " afterwards.\n"
                + hide(haystack, pieces)
                + "\nWhat is the special magic "
                + type.noun
                + " for "
                + key
                + " mentioned in the provided text? The special magic "
                + type.noun
                + " for "
                + key
                + " mentioned in the provided text is";
    }
}
