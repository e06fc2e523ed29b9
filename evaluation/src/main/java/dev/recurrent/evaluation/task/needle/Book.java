package dev.recurrent.evaluation.task.needle;

import dev.recurrent.training.data.Seeds;
import java.util.List;
import java.util.SplittableRandom;

/**
 * People and their numbers, drawn: no person stands in a book twice, and a longer book begins as a
 * shorter one.
 */
final class Book {

    private static final List<String> GIVEN = WordLists.read("given-names");
    private static final List<String> FAMILY = WordLists.read("family-names");

    /** What numbers are made of. */
    static final String SYMBOLS = "0123456789-";

    /** How many people there are. */
    static final int MOST = GIVEN.size() * FAMILY.size();

    /** How many are asked about: two that are answered, and one. */
    static final int ASKED = 3;

    private final int[] people = new int[MOST];
    private final long numbers;
    private final long questions;
    private final int depth;

    /** Draws a document's book. */
    Book(long seed, long document) {
        SplittableRandom random = Seeds.random(seed, document);
        for (int i = 0; i < MOST; i++) {
            int other = random.nextInt(i + 1);
            people[i] = people[other];
            people[other] = i;
        }
        numbers = random.nextLong();
        questions = random.nextLong();
        depth = Depths.of(document);
    }

    /** Returns which part of the book stands before the last person asked about, in percent. */
    int depth() {
        return depth;
    }

    /** Returns an entry's person. */
    String name(int entry) {
        int person = people[entry];
        return GIVEN.get(person / FAMILY.size()) + " " + FAMILY.get(person % FAMILY.size());
    }

    /** Returns an entry's number, as 555-246-0189. */
    String number(int entry) {
        SplittableRandom random = Seeds.random(numbers, entry);
        String line = Integer.toString(random.nextInt(10_000, 20_000)).substring(1);
        return random.nextInt(200, 1000) + "-" + random.nextInt(200, 1000) + "-" + line;
    }

    /** Returns which entry of so many is asked about at last. */
    int asked(int entries) {
        return (int) Math.round((entries - 1) * depth / 100.0);
    }

    /** Returns the book and its questions, up to where the last answer is to come. */
    String prompt(int entries) {
        int asked = asked(entries);
        StringBuilder text = new StringBuilder("Phone book:\n");
        for (int i = 0; i < entries; i++) {
            text.append(line(i));
        }
        text.append("\nNumbers asked for:\n");
        new SplittableRandom(questions)
                .ints(0, entries)
                .filter(entry -> entry != asked)
                .distinct()
                .limit(ASKED - 1)
                .forEach(entry -> text.append(line(entry)));
        return text.append(name(asked)).append(':').toString();
    }

    private String line(int entry) {
        return name(entry) + ": " + number(entry) + "\n";
    }

    /** Returns what is to follow the prompt. */
    String answer(int entries) {
        return " " + number(asked(entries));
    }
}
