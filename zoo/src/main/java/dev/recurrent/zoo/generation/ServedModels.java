package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.translate.TranslatorContext;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * The models that a translator's Predictors generate with, made ready at their first call. They
 * live as long as the DJL Model. One that is being trained is made ready at each call, since its
 * weights change in place.
 */
final class ServedModels {

    private final MatrixPrecision precision;
    private final Map<LanguageModel, Served> served = new IdentityHashMap<>();

    /** A model, and the tensors that its parameters were. */
    private record Served(PreparedModel prepared, List<NDArray> weights) {}

    /**
     * Constructs without models.
     *
     * @param precision of their products; null for what is usual on their device
     */
    ServedModels(MatrixPrecision precision) {
        this.precision = precision;
    }

    /** Returns a generator for a call; generations hang on the Predictor's manager. */
    Generator generator(TranslatorContext ctx, LanguageModel model, Tokenizer tokenizer) {
        NDManager manager = ctx.getPredictorManager();
        MatrixPrecision type =
                precision == null ? MatrixPrecision.usual(manager.getDevice()) : precision;
        NDManager owner = ctx.getModel().getNDManager();
        return new Generator(
                () ->
                        model.isTrained()
                                ? new PreparedModel(model, type, manager)
                                : shared(model, type, owner),
                tokenizer,
                manager);
    }

    private synchronized PreparedModel shared(
            LanguageModel model, MatrixPrecision type, NDManager owner) {
        served.values().removeIf(known -> !known.prepared().isOpen());
        List<NDArray> weights =
                SizedBlock.parametersOf(model).values().stream().map(Parameter::getArray).toList();
        Served known = served.get(model);
        if (known != null && !areSame(known.weights(), weights)) {
            known.prepared().close();
            known = null;
        }
        if (known == null) {
            known = new Served(new PreparedModel(model, type, owner), weights);
            served.put(model, known);
        }
        return known.prepared().share();
    }

    /** Compares tensors, not what is in them. */
    private static boolean areSame(List<NDArray> some, List<NDArray> others) {
        if (some.size() != others.size()) {
            return false;
        }
        for (int i = 0; i < some.size(); i++) {
            if (some.get(i) != others.get(i)) {
                return false;
            }
        }
        return true;
    }
}
