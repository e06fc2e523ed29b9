package dev.recurrent.blocks.cuda;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a source is specialised on: preprocessor constants, such as element types and sizes. Equal
 * constants give the same options whatever the order they were given in.
 *
 * @param values by name
 */
public record Constants(Map<String, String> values) {

    private static final Constants NONE = new Constants(Map.of());

    /** Copies the values. */
    public Constants {
        values = Map.copyOf(values);
    }

    /** Returns no constants. */
    public static Constants none() {
        return NONE;
    }

    /** Returns these and one more that is a number. */
    public Constants with(String name, long value) {
        return with(name, Long.toString(value));
    }

    /**
     * Returns these and one more.
     *
     * @param name a C identifier
     * @param value a number, a type or a name
     * @return more constants
     * @throws IllegalArgumentException if the name is not one, or there already
     */
    public Constants with(String name, String value) {
        if (!name.matches("[A-Za-z_][A-Za-z_0-9]*") || values.containsKey(name)) {
            throw new IllegalArgumentException(
                    "A constant needs a C identifier that is not there yet, not " + name);
        }
        Map<String, String> more = new TreeMap<>(values);
        more.put(name, value);
        return new Constants(more);
    }

    /** Returns the compiler's options, sorted by name. */
    public List<String> options() {
        return new TreeMap<>(values)
                .entrySet().stream().map(e -> "-D" + e.getKey() + "=" + e.getValue()).toList();
    }
}
