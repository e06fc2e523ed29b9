package dev.recurrent.evaluation.report;

import java.util.Arrays;
import java.util.stream.Collectors;

/** Comma-separated values (RFC 4180): records end with CR LF, the first holds the names. */
public final class Csv {

    private final StringBuilder text = new StringBuilder();

    /**
     * Constructs a file of no records.
     *
     * @param names of the fields
     */
    public Csv(String... names) {
        record((Object[]) names);
    }

    /**
     * Adds a record.
     *
     * @param fields their values; null and NaN are empty
     */
    public Csv record(Object... fields) {
        text.append(Arrays.stream(fields).map(Csv::field).collect(Collectors.joining(",")))
                .append("\r\n");
        return this;
    }

    private static String field(Object value) {
        if (value == null || value instanceof Double number && number.isNaN()) {
            return "";
        }
        String field = value.toString();
        boolean plain =
                field.chars().noneMatch(c -> c == ',' || c == '"' || c == '\r' || c == '\n');
        return plain ? field : '"' + field.replace("\"", "\"\"") + '"';
    }

    /** Returns all records. */
    @Override
    public String toString() {
        return text.toString();
    }
}
