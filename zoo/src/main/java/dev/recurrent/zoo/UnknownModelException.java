package dev.recurrent.zoo;

import java.util.List;

/** There is no model, or no size of one, of a name. */
public final class UnknownModelException extends IllegalArgumentException {

    private static final long serialVersionUID = 1;

    private final String what;
    private final String name;
    private final transient List<String> known;

    UnknownModelException(String what, String name, List<String> known) {
        super("There is no " + what + " " + name + "; these are: " + String.join(", ", known));
        this.what = what;
        this.name = name;
        this.known = List.copyOf(known);
    }

    /** Returns what was looked for, such as {@code model}. */
    public String getWhat() {
        return what;
    }

    /** Returns the name that is none. */
    public String getName() {
        return name;
    }

    /** Returns the names that there are. */
    public List<String> getKnown() {
        return known;
    }
}
