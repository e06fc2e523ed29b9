package dev.recurrent.zoo;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.nn.Block;
import ai.djl.nn.BlockFactory;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.zoo.config.HubConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * Loads a Hugging Face directory for DJL's {@code Criteria.optModelPath} and for DJL Serving, which
 * find this class through the {@code serving.properties} that {@link Pretrained#save} writes.
 */
public final class LanguageModelBlockFactory implements BlockFactory {

    private static final long serialVersionUID = 1;

    /**
     * {@inheritDoc}
     *
     * @return the model, its weights loaded; they are trained only by a trainer of {@code model}
     * @throws IOException if a file cannot be read or is malformed; the cause says what is wrong
     *     with it
     */
    @Override
    public Block newBlock(Model model, Path modelPath, Map<String, ?> arguments)
            throws IOException {
        try {
            HubConfig config = HubConfig.read(modelPath.resolve(HubConfig.FILE));
            LanguageModel block = Pretrained.loadModel(modelPath, config, model.getNDManager());
            // DJL unfreezes what it has loaded when a trainer is made.
            block.freezeParameters(true);
            return block;
        } catch (MalformedModelException e) {
            // The interface allows no other checked exception.
            throw new IOException(e.getMessage(), e);
        }
    }
}
