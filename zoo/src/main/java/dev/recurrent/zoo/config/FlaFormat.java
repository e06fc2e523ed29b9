package dev.recurrent.zoo.config;

import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.zoo.naming.FlaNames;
import dev.recurrent.zoo.naming.NameMap;

/** What flash-linear-attention's models have in common, and H2 with them. */
sealed interface FlaFormat extends ModelFormat
        permits DeltaNetFormat, GatedDeltaNetFormat, HybridH2Format {

    @Override
    default SpecialTokens defaultTokens() {
        return SpecialTokens.of(1, 2, null);
    }

    @Override
    default long defaultMaxPositions() {
        return 2048;
    }

    @Override
    default NameMap names(LanguageModelConfig model) {
        return FlaNames.of(model);
    }
}
