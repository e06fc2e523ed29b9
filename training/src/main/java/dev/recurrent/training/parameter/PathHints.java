package dev.recurrent.training.parameter;

import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collector;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What to tell someone whose pattern matches nothing. */
final class PathHints {

    private static final int MOST_SUGGESTIONS = 3;
    private static final int MOST_EXAMPLES = 12;

    private PathHints() {}

    static UnknownParameterException unknown(
            String kind, String pattern, Collection<String> paths) {
        return new UnknownParameterException(
                kind, pattern, suggestions(pattern, paths), examples(paths));
    }

    /** Names that differ little from the ones in the pattern that do not exist. */
    private static List<String> suggestions(String pattern, Collection<String> paths) {
        Set<String> names = paths.stream().flatMap(PathHints::segments).collect(toSet());
        return segments(pattern)
                .filter(name -> !name.isEmpty() && !name.contains("*") && !names.contains(name))
                .flatMap(
                        name ->
                                names.stream()
                                        .filter(other -> distance(name, other) <= tolerance(name))
                                        .sorted(Comparator.comparing(o -> distance(name, o))))
                .distinct()
                .limit(MOST_SUGGESTIONS)
                .toList();
    }

    /** The paths with a star for the number of a layer. */
    private static List<String> examples(Collection<String> paths) {
        return paths.stream()
                .map(
                        path ->
                                segments(path)
                                        .map(name -> name.matches("\\d+") ? "*" : name)
                                        .collect(Collectors.joining(".")))
                .distinct()
                .limit(MOST_EXAMPLES)
                .toList();
    }

    private static Stream<String> segments(String path) {
        return Arrays.stream(path.split("\\."));
    }

    private static Collector<String, ?, Set<String>> toSet() {
        return Collectors.toCollection(LinkedHashSet::new);
    }

    private static int tolerance(String name) {
        return Math.max(1, name.length() / 3);
    }

    /** Levenshtein's distance. */
    private static int distance(String one, String other) {
        int[] row = new int[other.length() + 1];
        Arrays.setAll(row, j -> j);
        for (int i = 1; i <= one.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= other.length(); j++) {
                int replaced = diagonal + (one.charAt(i - 1) == other.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[other.length()];
    }
}
