package dev.recurrent.evaluation;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Complaints about unknown names that say which name may have been meant. */
public final class Suggestions {

    /** A name further away than a third of its length is another name. */
    private static final int TOLERATED_PART = 3;

    private Suggestions() {}

    /**
     * Makes the complaint.
     *
     * @param kind what is named, such as {@code task}
     * @param name what was given
     * @param known all there are
     * @return the exception to throw
     */
    public static InvalidInputException unknown(
            String kind, String name, Collection<String> known) {
        List<String> near =
                known.stream()
                        .filter(other -> distance(name, other) <= tolerance(name, other))
                        .sorted(Comparator.comparingInt(other -> distance(name, other)))
                        .limit(3)
                        .toList();
        String hint =
                near.isEmpty()
                        ? "known are " + String.join(", ", known)
                        : "did you mean " + String.join(" or ", near) + "?";
        return new InvalidInputException("Unknown " + kind + " '" + name + "': " + hint);
    }

    private static int tolerance(String name, String other) {
        return Math.max(1, Math.max(name.length(), other.length()) / TOLERATED_PART);
    }

    /** Returns how many letters must be inserted, deleted or replaced (Levenshtein). */
    private static int distance(String a, String b) {
        String left = a.toLowerCase(Locale.ROOT);
        String right = b.toLowerCase(Locale.ROOT);
        int[] row = new int[right.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= left.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int replace = diagonal + (left.charAt(i - 1) == right.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replace, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[right.length()];
    }
}
