print("leafcutter")
