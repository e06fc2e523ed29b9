package dev.recurrent.zoo.naming;

import dev.recurrent.blocks.LanguageModelConfig;

/** The head, which all upstreams name alike. */
final class HeadNames {

    private HeadNames() {}

    /** A tied head may be in a file all the same. */
    static void head(NameMap.Builder map, LanguageModelConfig model) {
        if (model.tiedHead()) {
            map.ignore("lm_head\\.weight");
        } else {
            map.bind("lm_head.weight", "lm_head.weight");
        }
    }
}
