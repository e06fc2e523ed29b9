package dev.recurrent.training.parameter;

import java.util.List;

/** A pattern matches nothing in a model. */
public class UnknownParameterException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    private final String pattern;
    private final transient List<String> suggestions;
    private final transient List<String> examples;

    /**
     * Constructs an exception.
     *
     * @param kind what was looked for, such as "parameter"
     * @param pattern the pattern that matches none
     * @param suggestions names in the model that resemble names in the pattern
     * @param examples patterns that match
     */
    public UnknownParameterException(
            String kind, String pattern, List<String> suggestions, List<String> examples) {
        super(describe(kind, pattern, suggestions, examples));
        this.pattern = pattern;
        this.suggestions = List.copyOf(suggestions);
        this.examples = List.copyOf(examples);
    }

    private static String describe(
            String kind, String pattern, List<String> suggestions, List<String> examples) {
        String near =
                suggestions.isEmpty() ? "" : "; did you mean " + String.join(" or ", suggestions);
        return "No "
                + kind
                + " matches '"
                + pattern
                + "'"
                + near
                + "; there are, for example: "
                + String.join(", ", examples);
    }

    /** Returns the pattern that matches nothing. */
    public String getPattern() {
        return pattern;
    }

    /** Returns names in the model that resemble names in the pattern; empty if none does. */
    public List<String> getSuggestions() {
        return suggestions;
    }

    /** Returns patterns that match something. */
    public List<String> getExamples() {
        return examples;
    }
}
