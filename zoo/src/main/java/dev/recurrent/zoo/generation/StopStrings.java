package dev.recurrent.zoo.generation;

import java.util.List;

/**
 * Looks for stop strings in text that comes in pieces, and holds back what may become one. The
 * string that is complete first counts, of several that end together the longest.
 */
final class StopStrings {

    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean found;

    StopStrings(List<String> stops) {
        this.stops = stops;
    }

    /** Takes text; returns what is certain not to belong to a stop string. */
    String add(String piece) {
        if (found || stops.isEmpty()) {
            return found ? "" : piece;
        }
        int from = held.length();
        held.append(piece);
        for (int end = from + 1; end <= held.length(); end++) {
            int start = startOfStop(end);
            if (start >= 0) {
                found = true;
                held.setLength(start);
                return flush();
            }
        }
        int certain = held.length() - possible();
        String text = held.substring(0, certain);
        held.delete(0, certain);
        return text;
    }

    /** Ends the text; returns what was held back. */
    String flush() {
        String text = held.toString();
        held.setLength(0);
        return text;
    }

    /** Returns whether a stop string has come. */
    boolean found() {
        return found;
    }

    private int startOfStop(int end) {
        int first = -1;
        for (String stop : stops) {
            int start = end - stop.length();
            if (start >= 0 && matches(start, stop, stop.length())) {
                first = first < 0 ? start : Math.min(first, start);
            }
        }
        return first;
    }

    /** Returns the length of the longest end of the text that a stop string begins with. */
    private int possible() {
        int longest = 0;
        for (String stop : stops) {
            for (int n = Math.min(stop.length() - 1, held.length()); n > longest; n--) {
                if (matches(held.length() - n, stop, n)) {
                    longest = n;
                }
            }
        }
        return longest;
    }

    private boolean matches(int start, String stop, int length) {
        for (int i = 0; i < length; i++) {
            if (held.charAt(start + i) != stop.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
