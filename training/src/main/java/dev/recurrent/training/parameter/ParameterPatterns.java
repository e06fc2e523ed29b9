package dev.recurrent.training.parameter;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import dev.recurrent.blocks.nn.SizedBlock;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Parameters by the pattern of their path, such as {@code layers.0.mixer.q_proj.weight} (the paths
 * of {@link SizedBlock#parametersOf}).
 *
 * <p>In a pattern {@code *} stands for any characters within a segment and {@code **} for any
 * characters across segments, none included ({@code **.bias} matches {@code bias} as well);
 * everything else stands for itself. A pattern that matches a block's path means all that is in the
 * block: {@code layers.0} or {@code **.mlp}. Commas separate alternatives.
 *
 * @param patterns the patterns, none with a comma
 */
public record ParameterPatterns(List<String> patterns) {

    private static final Pattern TOKEN =
            Pattern.compile(
                    "(?<deep>\\*\\*\\.|\\.\\*\\*$|\\*\\*)|(?<star>\\*)|(?<text>[^*.]+|\\.)");

    /** Copies the list. */
    public ParameterPatterns {
        patterns = List.copyOf(patterns);
    }

    /**
     * Takes patterns, each of which may be a comma list.
     *
     * @param patterns such as {@code layers.*.mixer} or {@code **.q_proj,**.v_proj}
     * @return the patterns
     */
    public static ParameterPatterns of(String... patterns) {
        return of(List.of(patterns));
    }

    /** As {@link #of(String...)}. */
    public static ParameterPatterns of(List<String> patterns) {
        return new ParameterPatterns(
                patterns.stream()
                        .flatMap(list -> Arrays.stream(list.split(",", -1)))
                        .map(String::strip)
                        .toList());
    }

    /**
     * Returns whether a path is meant, or lies in a block that is.
     *
     * @param path a parameter's path
     * @return whether one of the patterns matches
     */
    public boolean matches(String path) {
        return patterns.stream().anyMatch(pattern -> compile(pattern).matcher(path).matches());
    }

    /**
     * Selects a block's parameters.
     *
     * @param block a block, with parameter values or without
     * @return paths and parameters in the block's order
     * @throws UnknownParameterException if one of the patterns matches nothing
     */
    public Map<String, Parameter> select(Block block) {
        return select("parameter", SizedBlock.parametersOf(block));
    }

    /**
     * Selects from anything that has paths.
     *
     * @param kind what errors call one of them, such as "projection"
     * @param candidates what there is, by path
     * @param <T> of any type
     * @return those that match, in their order
     * @throws UnknownParameterException if one of the patterns matches nothing
     */
    public <T> Map<String, T> select(String kind, Map<String, T> candidates) {
        for (String pattern : patterns) {
            Pattern compiled = compile(pattern);
            if (candidates.keySet().stream().noneMatch(path -> compiled.matcher(path).matches())) {
                throw PathHints.unknown(kind, pattern, candidates.keySet());
            }
        }
        Map<String, T> selected = new LinkedHashMap<>();
        candidates.forEach(
                (path, candidate) -> {
                    if (matches(path)) {
                        selected.put(path, candidate);
                    }
                });
        return selected;
    }

    /**
     * Freezes what is selected: it gets no gradients, and trainers leave it as it is.
     *
     * <p>DJL's {@code newTrainer} unfreezes everything in a model that was loaded from a folder:
     * with DJL's own trainer freeze after that call and before the first pass.
     *
     * @param block a block, with parameter values or without
     * @return what is frozen
     * @throws UnknownParameterException if one of the patterns matches nothing; nothing is frozen
     *     then
     */
    public Map<String, Parameter> freeze(Block block) {
        Map<String, Parameter> selected = select(block);
        selected.values().forEach(parameter -> parameter.freeze(true));
        return selected;
    }

    /** A path that matches, or that goes on below one that does. */
    private static Pattern compile(String pattern) {
        StringBuilder regex = new StringBuilder();
        Matcher tokens = TOKEN.matcher(pattern);
        while (tokens.find()) {
            String token = tokens.group();
            if (tokens.group("text") != null) {
                regex.append(Pattern.quote(token));
            } else if (tokens.group("star") != null) {
                regex.append("[^.]*");
            } else {
                regex.append(
                        switch (token) {
                            case "**." -> "(?:.*\\.)?";
                            case ".**" -> "(?:\\..*)?";
                            default -> ".*";
                        });
            }
        }
        return Pattern.compile(regex + "(?:\\..*)?");
    }

    @Override
    public String toString() {
        return String.join(",", patterns);
    }
}
