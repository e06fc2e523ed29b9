package dev.recurrent.zoo.config;

import java.util.List;
import java.util.OptionalLong;

/**
 * The token ids that mean something to a model.
 *
 * @param bos what starts a text
 * @param eos what ends one; any of them
 * @param pad what fills rows up
 */
public record SpecialTokens(OptionalLong bos, List<Long> eos, OptionalLong pad) {

    /** No special tokens. */
    public static final SpecialTokens NONE =
            new SpecialTokens(OptionalLong.empty(), List.of(), OptionalLong.empty());

    /** Copies the list. */
    public SpecialTokens {
        eos = List.copyOf(eos);
    }

    /**
     * Special tokens, one of each kind.
     *
     * @param bos what starts a text; null for none
     * @param eos what ends one; null for none
     * @param pad what fills rows up; null for none
     * @return the tokens
     */
    public static SpecialTokens of(Integer bos, Integer eos, Integer pad) {
        return new SpecialTokens(
                optional(bos), eos == null ? List.of() : List.of(eos.longValue()), optional(pad));
    }

    private static OptionalLong optional(Integer id) {
        return id == null ? OptionalLong.empty() : OptionalLong.of(id);
    }
}
